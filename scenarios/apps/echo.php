<?php // Role echo: the body comes back as it came. Its type and the method come back as headers.
$body = file_get_contents('php://input');
header('Content-Type: ' . (($_SERVER['CONTENT_TYPE'] ?? '') ?: 'application/octet-stream'));
header('Content-Length: ' . strlen($body));
header('X-Method: ' . $_SERVER['REQUEST_METHOD']);
echo $body;
