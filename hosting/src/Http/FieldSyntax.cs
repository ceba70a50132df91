using System;

namespace Ancm.Hosting.Http
{
    /// <summary>What a field that the app writes may be made of.</summary>
    internal static class FieldSyntax
    {
        private const string TokenSymbols = "!#$%&'*+-.^_`|~";

        private static readonly bool[] _tokenCharacters = TokenCharacters();

        /// <summary>RFC 9110, 5.6.2.</summary>
        public static void CheckName(string name)
        {
            if (name.Length == 0)
            {
                throw new InvalidOperationException("A field needs a name.");
            }
            foreach (var character in name)
            {
                if (character >= _tokenCharacters.Length || !_tokenCharacters[character])
                {
                    throw Invalid(character, "the name of a field");
                }
            }
        }

        /// <summary>RFC 9110, 5.5, without the octets above ASCII, as Kestrel has it by default.</summary>
        public static void CheckValue(string name, string? value)
        {
            if (value == null)
            {
                return;
            }
            foreach (var character in value)
            {
                if ((uint)(character - ' ') > '~' - ' ' && character != '\t')
                {
                    throw Invalid(character, $"the field `{name}`");
                }
            }
        }

        private static InvalidOperationException Invalid(char character, string place) =>
            new InvalidOperationException($"Invalid non-ASCII or control character in {place}: 0x{(int)character:X4}.");

        private static bool[] TokenCharacters()
        {
            var allowed = new bool[128];
            for (var character = 0; character < allowed.Length; character++)
            {
                allowed[character] = (character >= '0' && character <= '9') ||
                    (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') ||
                    TokenSymbols.IndexOf((char)character) >= 0;
            }
            return allowed;
        }
    }
}
