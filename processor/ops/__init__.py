"""What a person on call asks for: verify, status, reset, a run that sends nothing. The processor works without it."""
