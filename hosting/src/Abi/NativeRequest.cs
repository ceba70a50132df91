using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>The head of a request.</summary>
    internal readonly unsafe struct NativeRequest
    {
        public const int Http10 = 10;
        public const int Http11 = 11;
        public const int Http2 = 20;

        public readonly Slice Method;
        public readonly Slice Scheme;
        public readonly Slice Authority;
        public readonly Slice Target;
        /// <summary>Not decoded, without the query.</summary>
        public readonly Slice Path;
        /// <summary>Without the question mark.</summary>
        public readonly Slice Query;
        private readonly Field* _fields;
        private readonly uint _fieldCount;
        public readonly uint Version;
        public readonly RequestFlags Flags;
        private readonly uint _reserved;
        /// <summary>−1 where it is not known before the end.</summary>
        public readonly long ContentLength;
        public readonly ConnectionFacts* Connection;
        /// <summary>Null where nobody was authenticated.</summary>
        public readonly NativeUser* User;

        /// <summary>Whether the client's scheme is <c>https</c> and not <c>http</c>.</summary>
        public bool IsSecure => Scheme.Length == "https".Length;

        public ReadOnlySpan<Field> Fields => new ReadOnlySpan<Field>(_fields, checked((int)_fieldCount));
    }
}
