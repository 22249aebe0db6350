"""The interface of the NixOS test driver for test scripts, on vmwright's machines."""
