"""What a reader sees: the console, pictures."""
