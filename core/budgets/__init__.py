"""What models may cost, and what happens when that is used up: said once before, then asked, and silence is no."""
