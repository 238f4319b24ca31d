<?php // Role headers: ?count=N header lines X-0, X-1 and so on, each ?length=N bytes long from its name to its last letter.
$count = (int) ($_GET['count'] ?? 1);
$length = (int) ($_GET['length'] ?? 20);
header('Content-Type: text/plain');
for ($number = 0; $number < $count; $number++) {
    header(str_pad("X-$number: ", $length, 'x'));
}
echo "headers\n";
