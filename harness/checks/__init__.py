"""The judge's checks, pure: one function per anomaly, grouped by what they look at.

`alignment` lays the records beside the rows · `differences` names what does not fit · `case` holds what the checks
share · `rows`, `transactions`, `checkpoints`, `outcome` hold the checks themselves.
"""
