"""Tables: where they come from (`sources`) and the shape in which stages hand them on (`tables`)."""
