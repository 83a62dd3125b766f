"""What is computed over files: all pairs, rows by rows, neighbours."""
