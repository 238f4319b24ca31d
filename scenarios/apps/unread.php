<?php // Role unread: answers "unread" without having looked at the body.
header('Content-Type: text/plain');
echo "unread\n";
