"""What the ports promise, tested alike on the fakes and on the real adapters.

A world (worlds_*.py) is the state behind a port together with the hand that plays operator, stranger and time. Each
port's tests take one world fixture, whose parameters are the fake and every real adapter.
"""
