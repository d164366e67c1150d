"""Hooks into the Object Detection API's trainer: its functions, called through ours. Install them before its `main`."""
