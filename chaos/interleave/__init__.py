"""Two and three real processors on one job, every interleaving of their calls, with faults as further choices.

What's here
    stage        the world between calls as one value, and the fakes that a call is played on
    turns        where a run stops, and how an answer reaches it
    remembered   what a stopped run still knows, read off its stack
    runs         the real processor as a table: stop and answer to the next stop
    schedule     the turns by name; a schedule is one line
    rules        what must hold: I1 to I5 of the architecture, and which exit codes there may be
    board        a state, the turns that it allows, the state after each
    graph        the states met, packed
    explore      all of them, the fewest faults and the shortest way first
    walk         schedules drawn from a seed, where all are too many
    replay       one schedule with live runs, one thread each

What is left out, because it changes nothing that anybody can see: the order of calls that commute (see `schedule`
and `turns.NO_STOPS`), states that were seen before (`board.State`), runs that differ in name only.
"""
