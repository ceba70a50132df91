using System;
using System.Text;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The target of a request in the parts that the app sees. The one before is remembered: a client often asks
    /// for the same.
    /// </summary>
    internal sealed class TargetReader
    {
        private const int RememberedLength = 512;

        private bool _remembers;

        public string Raw { get; private set; } = "";

        /// <summary>In the case in which the client wrote it.</summary>
        public string PathBase { get; private set; } = "";

        public string Path { get; private set; } = "";

        /// <summary>With its question mark, or empty.</summary>
        public string Query { get; private set; } = "";

        public void Read(in NativeRequest request, string pathBase)
        {
            var target = request.Target.Span;
            if (_remembers && Ascii.Spells(target, Raw))
            {
                return;
            }
            // It must not be found half read.
            _remembers = false;
            if (!Ascii.IsAll(target))
            {
                throw BadRequests.Malformed("a target with octets that are not ASCII");
            }
            Raw = Encoding.ASCII.GetString(target);
            if (Raw == "*")
            {
                (PathBase, Path, Query) = ("", "", "");
            }
            else
            {
                Query = ReadQuery(request);
                Split(TargetPath.Decode(request.Path.Span), pathBase);
            }
            _remembers = target.Length <= RememberedLength;
        }

        /// <summary>ANCM: the path base is matched by whole segments, and its case does not matter.</summary>
        private void Split(string path, string pathBase)
        {
            if (pathBase.Length > 0 && path.StartsWith(pathBase, StringComparison.OrdinalIgnoreCase) &&
                (path.Length == pathBase.Length || path[pathBase.Length] == '/'))
            {
                var written = path.Substring(0, pathBase.Length);
                PathBase = written == pathBase ? pathBase : written;
                Path = path.Substring(pathBase.Length);
            }
            else
            {
                PathBase = "";
                Path = path;
            }
        }

        /// <summary>As Kestrel: a lone question mark is a query, too.</summary>
        private static string ReadQuery(in NativeRequest request)
        {
            var target = request.Target.Span;
            if (request.Query.IsEmpty)
            {
                return !target.IsEmpty && target[target.Length - 1] == (byte)'?' ? "?" : "";
            }
            return "?" + Encoding.ASCII.GetString(request.Query.Span);
        }
    }
}
