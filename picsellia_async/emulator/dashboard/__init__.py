"""The pages that a person looks at: what arrived, with its shapes on its images. Made on the server, without scripts."""
