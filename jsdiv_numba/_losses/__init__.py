"""What losses, scalarisations and schemes are made of."""
