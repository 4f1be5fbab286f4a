"""The FTP server's files: listed, settled, downloaded, unzipped, archived."""
