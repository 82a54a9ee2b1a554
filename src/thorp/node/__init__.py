"""What this machine says about itself. Small and whole: the feature that other features imitate."""
