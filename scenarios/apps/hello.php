<?php // Role hello: 200, text/plain and "Hello, World!", to everything.
header('Content-Type: text/plain');
echo "Hello, World!\n";
