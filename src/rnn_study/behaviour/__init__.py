"""What networks do inside: the same in both frameworks, to gradients, over long ranges."""
