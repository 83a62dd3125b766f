"""What one pair of numbers contributes, and its derivatives."""
