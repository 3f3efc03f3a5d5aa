"""Tables: where they come from (`sources`), and the form in which stages exchange them (`tables`)."""
