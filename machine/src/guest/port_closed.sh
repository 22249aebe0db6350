# shellcheck shell=bash
probe() { ! connects; }
