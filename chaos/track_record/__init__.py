"""Every bug that was found in this program, as a value that shows it again.

What's here
    bug     Bug, and the ways in which one is shown again: on fakes, as an interleaving, as a story, by a test
    plays   how its jobs on fakes are played
    old     the old behaviour of the bugs that play on fakes, so that each can be seen to convict it
    bugs    the list of all
    table   the table of chaos/README.md that is made from it

`python -m chaos.track_record` replays all of them, or those that are named.
"""

from chaos.track_record.bug import Bug, ByTest, Interleaved, NotRun, OnFakes, Told
from chaos.track_record.bugs import BUGS
from chaos.track_record.table import readme_table

__all__ = ["BUGS", "Bug", "ByTest", "Interleaved", "NotRun", "OnFakes", "Told", "readme_table"]
