"""Schedules of several runs on fakes, searched: by Hypothesis, which shrinks what it finds, and by chance in bulk.

What's here
    story      one schedule as one line: strikes, events and runs in order, played on the real processor
    wrongs     what must hold after each part of a story (I1 to I4), seen in the fakes and not through the judge
    machine    the state machine of Hypothesis, whose rules are the parts of a story
    bulk       stories drawn from a seed, each judged: how many runs a second, how many false alarms

`python -m chaos.searching` searches, draws in bulk, or replays one story.
"""
