"""Results as HTML: a page of its own, and tables for notebooks."""
