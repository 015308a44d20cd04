"""What a ray meets: the road, computed, and instances of meshes, searched in trees of bounding volumes."""
