<?php // Role length: answers length=N, the length of the body as the request announces it; length= if there is none.
header('Content-Type: text/plain');
echo 'length=', $_SERVER['CONTENT_LENGTH'] ?? '', "\n";
