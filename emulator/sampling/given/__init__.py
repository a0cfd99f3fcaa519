"""What a user gives, in one form: arrays, units, places, parameters, options; or refused."""
