"""What a build keeps for the next one (`kept`), and the code on which it depends (`sources`)."""
