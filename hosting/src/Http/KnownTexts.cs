using System;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Http
{
    /// <summary>One text each for what almost every request says.</summary>
    internal static class KnownTexts
    {
        private static readonly string[] _methods =
        {
            "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE",
        };

        public static string Method(ReadOnlySpan<byte> method)
        {
            foreach (var known in _methods)
            {
                if (Ascii.Spells(method, known))
                {
                    return known;
                }
            }
            return Ascii.Text(method);
        }

        public static string Scheme(ReadOnlySpan<byte> scheme) =>
            Ascii.Spells(scheme, "https") ? "https" : Ascii.Spells(scheme, "http") ? "http" : Ascii.Text(scheme);

        public static string Protocol(int version) => version switch
        {
            NativeRequest.Http10 => "HTTP/1.0",
            NativeRequest.Http2 => "HTTP/2",
            _ => "HTTP/1.1",
        };
    }
}
