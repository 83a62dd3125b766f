"""Files in, files out: what the command ``jsdiv`` does between its arguments and its answer."""
