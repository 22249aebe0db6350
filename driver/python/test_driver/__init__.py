"""The names that test scripts know, on vmwright's machines."""
