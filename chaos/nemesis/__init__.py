"""Nemeses: each has a name, says in one sentence what must hold, and confirms that it struck."""
