<?php // Role big: a body of ?bytes=N bytes, the sixteen digits 0123456789abcdef again and again, in pieces of ?piece=N.
const PATTERN = '0123456789abcdef';
$size = (int) ($_GET['bytes'] ?? 0);
$piece = (int) ($_GET['piece'] ?? max($size, 1));
header('Content-Type: text/plain');
header("Content-Length: $size");
$body = substr(str_repeat(PATTERN, intdiv($size, strlen(PATTERN)) + 1), 0, $size);
for ($at = 0; $at < $size; $at += $piece) {
    echo substr($body, $at, $piece);
}
