"""The stage `tune`: which solver of a trained model is the cheapest within a budget of error."""
