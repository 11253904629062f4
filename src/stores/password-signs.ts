/** Says, in an error about a URL, how to write what would end a password in it. */
export const PASSWORD_SIGNS = 'in the password %2F for /, %3F for ?, %23 for # and %25 for %';
