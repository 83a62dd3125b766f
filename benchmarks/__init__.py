"""What the documentation says of accuracy and speed, measured: run each as ``python -m``."""
