"""The three ways to run it on AWS, what is generated for them, and their tests."""
