"""pfungst answers one question about a trained network: does it generalize, or did it learn a trick?"""
