"""The Phi family as data: variants, their files, and the names people type for them."""
