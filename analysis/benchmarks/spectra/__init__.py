"""Speed of spectra, of all statistics, and of the judge and its page."""
