"""A scaling curve: how the judge's scores fall with steps, parameter points and width."""
