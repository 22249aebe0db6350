//! Pictures of a guest's screen, and the text on them
