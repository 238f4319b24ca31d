<?php // Role status: status ?code=N, a Location header for ?location=URL; the body "status N", or none with ?empty=1.
$code = (int) ($_GET['code'] ?? 200);
header('Content-Type: text/plain');
if (isset($_GET['location'])) {
    header("Location: $_GET[location]");
}
// Last: a Location header alone would make it 302.
http_response_code($code);
if (!isset($_GET['empty'])) {
    echo "status $code\n";
}
