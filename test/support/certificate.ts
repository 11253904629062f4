/** Of a server that is called localhost, and not by its address; it trusts itself, for a hundred years. */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUWj7PbxOm3jWQIpf+V93A1sGf9CQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDA3Mjk1NVoYDzIxMjYxMTA2
MDcyOTU1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASg3FNydzpgPYFLNFBFTB+IwZRZnDs0TXVffJ97gjRAdq4lPisnko4J
g3k+ut8fDxQ/XRJvPVSEls11M+a2Gqy5o2kwZzAdBgNVHQ4EFgQU/FtfeN1c+50x
UfXRsa4XgiS1CyYwHwYDVR0jBBgwFoAU/FtfeN1c+50xUfXRsa4XgiS1CyYwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhAK61N+gWFJ+Tl0hz4aSEQBVMUD3QfKZkamnUtZwOiyGgAiAs7vrWcIUx
xWyzQbXz2pmFCabRG50kL+HBK+VK/pRbNQ==
-----END CERTIFICATE-----
`;

/** The key to it, which is nobody's secret. */
export const certificateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYutkpv6lKRM2M8Su
AkneGGTvHBWu9CJQ3rUCAPVdrZehRANCAASg3FNydzpgPYFLNFBFTB+IwZRZnDs0
TXVffJ97gjRAdq4lPisnko4Jg3k+ut8fDxQ/XRJvPVSEls11M+a2Gqy5
-----END PRIVATE KEY-----
`;
