"""Engine: plans passes, runs each once, keeps the answers."""
