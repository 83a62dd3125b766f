"""The search for neighbours."""
