"""Read, pack and hash what is deployed: images, Worker modules and the files of sites."""
