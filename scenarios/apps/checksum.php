<?php // Role checksum: reads the whole body and answers its length and its SHA-256.
$hash = hash_init('sha256');
$length = hash_update_stream($hash, fopen('php://input', 'rb'));
header('Content-Type: text/plain');
echo "length=$length\nsha256=", hash_final($hash), "\n";
