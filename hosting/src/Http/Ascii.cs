using System;
using System.Text;

namespace Ancm.Hosting.Http
{
    /// <summary>Text of the wire, which is ASCII but for the values of fields.</summary>
    internal static class Ascii
    {
        private static readonly UTF8Encoding _strictUtf8 = new UTF8Encoding(false, throwOnInvalidBytes: true);

        /// <summary>Whether the bytes spell the text, and all of it is ASCII.</summary>
        public static bool Spells(ReadOnlySpan<byte> bytes, string text)
        {
            if (bytes.Length != text.Length)
            {
                return false;
            }
            for (var index = 0; index < bytes.Length; index++)
            {
                if (bytes[index] != text[index] || bytes[index] >= 0x80)
                {
                    return false;
                }
            }
            return true;
        }

        public static bool IsAll(ReadOnlySpan<byte> bytes)
        {
            foreach (var octet in bytes)
            {
                if (octet >= 0x80)
                {
                    return false;
                }
            }
            return true;
        }

        /// <summary>UTF-8 is accepted, as Kestrel does; anything else makes a bad request.</summary>
        public static string Text(ReadOnlySpan<byte> bytes)
        {
            try
            {
                return _strictUtf8.GetString(bytes);
            }
            catch (ArgumentException)
            {
                throw BadRequests.Malformed("a field that is not UTF-8");
            }
        }
    }
}
