"""The parts of a row plan: encoded columns, trees as arrays, machine code for both, and the proof."""
