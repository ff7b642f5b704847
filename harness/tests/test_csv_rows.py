"""Each decision about CSV, however the bytes are cut into chunks; beside each refused row its innocent look-alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from processor.csv_rows import read_header, read_rows
from processor.errors import BadRow

BOM = b"\xef\xbb\xbf"
HEAD = b"a,b\n"
PLENTY = 10_000  # a max_row_bytes that nothing small reaches
LONE_CR = "carriage return"
NOT_UTF8 = "not UTF-8"


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a reading says: (cells, start, end, raw) of each row; (row, start, end, reason) of the fault."""

    rows: tuple[tuple[tuple[str, ...], int, int, bytes], ...]
    fault: tuple[int | None, int, int, str] | None


def cut(body: bytes, chunk_bytes: int) -> Iterator[bytes]:
    return (body[at : at + chunk_bytes] for at in range(0, len(body), chunk_bytes))


def read(chunks: Iterator[bytes], *, at: int = 0, row: int = 0, width: int = 2, most: int = PLENTY) -> Outcome:
    """Read rows from `chunks`, which begin at byte `at` with row `row`; `most` is max_row_bytes."""
    rows, fault = [], None
    try:
        for slab in read_rows(chunks, byte_offset=at, row=row, width=width, max_row_bytes=most):
            cells = map(tuple, slab.rows())
            rows += list(zip(cells, slab.starts, slab.ends, slab.raw(), strict=True))
    except BadRow as bad:
        fault = (bad.row, bad.byte_start, bad.byte_end, bad.reason)
    return Outcome(tuple(rows), fault)


def read_object(body: bytes, *, chunk_bytes: int, most: int = PLENTY) -> Outcome:
    """Read the object as the source does: the header, then the rows from the byte after it."""
    header = read_header(cut(body, chunk_bytes), max_row_bytes=most)
    assert header is not None
    chunks = cut(body[header.end_byte :], chunk_bytes)
    return read(chunks, at=header.end_byte, width=len(header.names), most=most)


def every_chunk_size(body: bytes) -> range:
    return range(1, len(body) + 2)


GOOD = {
    "lf": (b"1,2\n3,4\n", [("1", "2"), ("3", "4")]),
    "crlf": (b"1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
    "mixed_line_ends": (b"1,2\r\n3,4\n5,6\r\n", [("1", "2"), ("3", "4"), ("5", "6")]),
    "last_row_without_a_newline": (b"1,2\n3,4", [("1", "2"), ("3", "4")]),
    "last_row_of_empty_cells_without_a_newline": (b"1,2\n,", [("1", "2"), ("", "")]),
    "cr_inside_quotes": (b'"x\ry",2\n3,4\n', [("x\ry", "2"), ("3", "4")]),
    "crlf_inside_quotes": (b'"x\r\ny",2\r\n3,4\r\n', [("x\r\ny", "2"), ("3", "4")]),
    "lf_inside_quotes": (b'1,"\n\n"\n3,4\n', [("1", "\n\n"), ("3", "4")]),
    "quoted_cell_that_ends_in_cr": (b'1,"x\r"\n3,"\r"\r\n5,"\r"', [("1", "x\r"), ("3", "\r"), ("5", "\r")]),
    "quoted_cell_that_ends_in_crlf": (b'1,"x\r\n"\r\n3,4', [("1", "x\r\n"), ("3", "4")]),
    "quoted_cell_of_cr_cr_lf": (b'1,"\r\r\n"\n3,4\n', [("1", "\r\r\n"), ("3", "4")]),
    "nul": (b'\0,"x\0y"\n\0\0,\n', [("\0", "x\0y"), ("\0\0", "")]),
    "quote_inside_an_unquoted_cell": (b'x"y,z"\n5" disk,""""\n', [('x"y', 'z"'), ('5" disk', '"')]),
    "quote_after_a_space": (b' "x" , "y\n', [(' "x" ', ' "y')]),
    "doubled_quotes": (b'"""x""","a""b"\n"""",""\n', [('"x"', 'a"b'), ('"', "")]),
    "delimiter_inside_quotes": (b'"x,y",","\n', [("x,y", ",")]),
    "spaces_are_kept": (b" 1 ,\t2\t\n  ,  \n", [(" 1 ", "\t2\t"), ("  ", "  ")]),
    "blank_lines_between_and_at_the_end": (b"\n\r\n1,2\n\n\r\n\n3,4\r\n\r\n\n", [("1", "2"), ("3", "4")]),
    "blank_lines_inside_quotes": (b'1,"\n\n\r\n"\n', [("1", "\n\n\r\n")]),
    "multibyte": ("é,中\n😀,\u0628\u0651\n".encode(), [("é", "中"), ("😀", "\u0628\u0651")]),
    "bom_character_in_a_row": ('\ufeff1,2\n\ufeff"x",4\n'.encode(), [("\ufeff1", "2"), ('\ufeff"x"', "4")]),
    "unicode_line_separators": (
        "x\u2028y,\u2029\n\u0085,\x0b\n\x0c,\x1c\x1d\x1e\n".encode(),
        [("x\u2028y", "\u2029"), ("\u0085", "\x0b"), ("\x0c", "\x1c\x1d\x1e")],
    ),
    "quoted_unicode_line_separators": ('"\u2028",2\n"\x0b\x85",4'.encode(), [("\u2028", "2"), ("\x0b\x85", "4")]),
    "no_rows": (b"", []),
}


@pytest.mark.parametrize("name", GOOD)
def test_rows_mean_what_was_decided_however_they_are_cut(name: str) -> None:
    body, cells = HEAD + GOOD[name][0], GOOD[name][1]
    for chunk_bytes in every_chunk_size(body):
        outcome = read_object(body, chunk_bytes=chunk_bytes)
        assert outcome.fault is None
        assert [row[0] for row in outcome.rows] == cells
        for _, start, end, raw in outcome.rows:
            assert body[start:end] in (raw, raw + b"\n", raw + b"\r\n")
            assert not raw.endswith((b"\r", b"\n"))


# Behind the header and the good row `1,2\n`: the bad row's bytes, what follows it, and a word of the reason.
BAD = {
    "lone_cr_in_mid_row": (b"x\ry,2\n", b"3,4\n", LONE_CR),
    "lone_cr_before_the_row": (b"\rx,2\n", b"3,4\n", LONE_CR),
    "lone_cr_before_crlf": (b"x,2\r\r\n", b"3,4\r\n", LONE_CR),
    "lone_cr_after_a_closing_quote": (b'x,"2"\r\r\n', b"3,4\r\n", LONE_CR),
    "lone_cr_at_the_end_of_the_file": (b"x,2\r", b"", LONE_CR),
    "blank_line_of_cr_at_the_end_of_the_file": (b"\r", b"", LONE_CR),
    "blank_line_of_cr_and_crlf": (b"\r\r\n", b"3,4\n", LONE_CR),
    "cr_as_the_only_line_end": (b"x,2\r3,4\r5,6\r", b"", LONE_CR),
    "text_after_a_closing_quote": (b'"x"y,2\n', b"3,4\n", "expected after"),
    "space_after_a_closing_quote": (b'1,"x" \n', b"3,4\n", "expected after"),
    "nul_after_a_closing_quote": (b'"x"\0,2\n', b"3,4\n", "expected after"),
    "text_after_a_closing_quote_lines_later": (b'"x\n', b'y\r\n"z,2\n3,4\n', "expected after"),
    "quote_never_closed": (b'x,"y\n', b"3,4\n5,6\n", "never closed"),
    "quote_never_closed_in_a_last_row_without_a_newline": (b'x,"', b"", "never closed"),
    "quote_closed_twice_and_opened_again": (b'x,"y""\n', b"", "never closed"),
    "short_row": (b"x\n", b"3,4\n", "1 cells where the header has 2"),
    "short_row_that_is_one_empty_cell": (b'""\n', b"3,4\n", "1 cells"),
    "short_row_that_is_one_space": (b" \n", b"3,4\n", "1 cells"),
    "long_row": (b"x,2,\n", b"3,4\n", "3 cells"),
    "short_last_row": (b"x", b"", "1 cells"),
    "byte_that_is_never_utf8": (b"x,\xff\n", b"3,4\n", NOT_UTF8),
    "sequence_cut_off_by_the_line_end": (b"x,\xe4\xb8\n", b"3,4\n", NOT_UTF8),
    "sequence_cut_off_by_a_quote": (b'"x\xf0\x9f\x98",2\n', b"3,4\n", NOT_UTF8),
    "sequence_cut_off_by_a_comma": (b"x\xc3,2\n", b"3,4\n", NOT_UTF8),
    "sequence_cut_off_by_the_end_of_the_file": (b"x,\xe4\xb8", b"", NOT_UTF8),
    "continuation_byte_alone": (b"\x80,2\n", b"3,4\n", NOT_UTF8),
    "overlong_quote": (b"\xc0\xa2x,2\n", b"3,4\n", NOT_UTF8),
    "surrogate_in_utf8": (b"x,\xed\xa0\x80\n", b"3,4\n", NOT_UTF8),
    "latin1_in_a_quoted_line": (b'x,"\n\xe9\n"\n', b"3,4\n", NOT_UTF8),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_row_is_named_by_row_and_bytes_and_comes_after_the_rows_before_it(name: str) -> None:
    bad, rest, reason = BAD[name]
    before = HEAD + b"1,2\n\n"
    for chunk_bytes in every_chunk_size(before + bad + rest):
        outcome = read_object(before + bad + rest, chunk_bytes=chunk_bytes)
        assert [row[0] for row in outcome.rows] == [("1", "2")]
        assert outcome.fault is not None
        assert outcome.fault[:3] == (1, len(before), len(before + bad))
        assert reason in outcome.fault[3]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_empty_line_of_a_single_column_is_no_row_and_an_empty_quoted_cell_is(line_end: bytes) -> None:
    body = line_end.join((b"a", b'""', b"", b"x", b"", b'""'))
    for chunk_bytes in every_chunk_size(body):
        outcome = read_object(body, chunk_bytes=chunk_bytes)
        assert [(row[0], row[3]) for row in outcome.rows] == [(("",), b'""'), (("x",), b"x"), (("",), b'""')]


def test_blank_lines_belong_to_no_row() -> None:
    body = b"a,b\n\n\r\n1,2\r\n\n\n3,4\n\n"
    for chunk_bytes in every_chunk_size(body):
        assert [row[1:3] for row in read_object(body, chunk_bytes=chunk_bytes).rows] == [(7, 12), (14, 18)]


HEADERS = {
    "plain": (b"a,b\n", ("a", "b")),
    "crlf": (b"a,b\r\n", ("a", "b")),
    "without_a_newline": (b"a,b", ("a", "b")),
    "bom": (BOM + b"a,b\n", ("a", "b")),
    "bom_and_a_quoted_first_name": (BOM + b'"a,\n1",b\r\n', ("a,\n1", "b")),
    "bom_and_blank_lines": (BOM + b"\r\n\na,b\n", ("a", "b")),
    "blank_lines_before": (b"\n\r\n\n\na,b\n", ("a", "b")),
    "only_the_first_bom_is_one": (BOM + BOM + b"a,b\n", ("\ufeffa", "b")),
    "bom_inside_is_a_character": (b"a," + BOM + b"b\n", ("a", "\ufeffb")),
    "names_that_differ_in_case_or_spaces": (b"a,A, a,a \n", ("a", "A", " a", "a ")),
    "multibyte": ("é,中,😀\n".encode(), ("é", "中", "😀")),
    "one_letter_without_a_newline": (b"a", ("a",)),
    "quotes_in_names": (b'"a""b",c"d\n', ('a"b', 'c"d')),
    "longer_than_any_chunk": (b"x" * 500 + b"," + b"y" * 500 + b"\n", ("x" * 500, "y" * 500)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header_is_read_and_its_end_counts_every_byte_before(name: str) -> None:
    head, names = HEADERS[name]
    for rest in (b"", b"\n\n", b'1,"never closed', b"\xff\n"):
        if not head.endswith(b"\n") and rest:
            continue
        for chunk_bytes in {1, 2, 3, 4, 5, 64, len(head), len(head + rest) + 1}:
            header = read_header(cut(head + rest, chunk_bytes), max_row_bytes=PLENTY)
            assert header is not None
            assert (header.names, header.end_byte) == (names, len(head))


BAD_HEADERS = {
    "name_twice": (b"", b"a,b,a\n", "'a' stands twice"),
    "name_twice_once_quoted": (BOM, b'a,"a"\n', "'a' stands twice"),
    "name_missing": (b"", b"a,,b\n", "column 2 has no name"),
    "last_name_missing": (b"\n\r\n", b"a,\r\n", "column 2 has no name"),
    "quoted_name_empty": (b"", b'""\n', "column 1 has no name"),
    "lone_cr": (BOM, b"a\rb\n", ""),
    "lone_cr_at_the_end": (b"", b"a,b\r", LONE_CR),
    "text_after_a_closing_quote": (BOM, b'"a"b,c\n', ""),
    "quote_never_closed": (BOM, b'"a,b\n', "never closed"),
    "not_utf8": (BOM, b"a,\xe9\n", NOT_UTF8),
    "half_a_bom": (b"", BOM[:2] + b"a,b\n", NOT_UTF8),
    "half_a_bom_and_no_more": (b"", BOM[:2], NOT_UTF8),
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_header_is_refused_by_its_bytes_and_has_no_row_number(name: str) -> None:
    before, head, reason = BAD_HEADERS[name]
    for chunk_bytes in every_chunk_size(before + head):
        with pytest.raises(BadRow, match="header") as refused:
            read_header(cut(before + head, chunk_bytes), max_row_bytes=PLENTY)
        bad = refused.value
        assert (bad.row, bad.byte_start, bad.byte_end) == (None, len(before), len(before + head))
        assert reason in bad.reason


@pytest.mark.parametrize("empty", [b"", BOM, b"\n", BOM + b"\r\n\n", b"\n" * 50])
def test_object_without_any_row_has_no_header(empty: bytes) -> None:
    for chunk_bytes in every_chunk_size(empty):
        assert read_header(cut(empty, chunk_bytes), max_row_bytes=PLENTY) is None


def test_header_over_max_row_bytes_is_refused_and_one_of_just_that_many_is_not() -> None:
    for chunk_bytes in (1, 3, 40):
        assert read_header(cut(BOM + b"ab,cd,ef\n1\n", chunk_bytes), max_row_bytes=9) is not None
        with pytest.raises(BadRow, match=r"header, bytes 3 to .*longer than 9 bytes"):
            read_header(cut(BOM + b"ab,cd,efg\n1\n", chunk_bytes), max_row_bytes=9)
