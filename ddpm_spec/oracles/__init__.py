"""Data laws for which the best denoiser, and with it everything a trained model should do, is known."""
